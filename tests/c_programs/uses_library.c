/* Says which library runs; fails when it is not the one that it was compiled for. */
#include <ssasync.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    if (strcmp(ssa_version(), SSA_VERSION_TEXT) != 0)
        return 1;
    if (strcmp(ssa_status_name(SSA_ETIMEOUT), "SSA_ETIMEOUT") != 0)
        return 2;
    printf("ssasync %s [%s]\n", ssa_version(), ssa_features());
    return 0;
}

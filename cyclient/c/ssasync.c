#include "../include/ssasync.h"

const char *ssa_version(void) {
    return SSA_VERSION_TEXT;
}

const char *ssa_features(void) {
#ifdef SSA_HAVE_OPENSSL
    return "tls";
#else
    return "";
#endif
}

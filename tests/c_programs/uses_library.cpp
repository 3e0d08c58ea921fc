// Says which library runs; fails when it is not the one that it was compiled for, or an error does not tell its status.
#include <ssasync.hpp>

#include <iostream>

int main() {
    if (ssasync::version() != SSA_VERSION_TEXT)
        return 1;
    try {
        throw ssasync::Error(SSA_ETIMEOUT, "too late");
    } catch (const ssasync::Error &error) {
        if (error.status() != SSA_ETIMEOUT || error.status_name() != "SSA_ETIMEOUT")
            return 2;
    }
    std::cout << "ssasync " << ssasync::version() << " [" << ssasync::features() << "]\n";
    return 0;
}

#include "status.h"

const char *ssa_status_name(ssa_status status) {
#define NAME(code) case code: return #code
    switch (status) { /* no default: the compiler names a code that is missing */
        NAME(SSA_OK);
        NAME(SSA_MORE);
        NAME(SSA_ENOMEM);
        NAME(SSA_EARGUMENT);
        NAME(SSA_EPROTOCOL);
        NAME(SSA_ELIMIT);
        NAME(SSA_EHEADER);
        NAME(SSA_EVERSION);
        NAME(SSA_EDTYPE);
        NAME(SSA_ESHAPE);
        NAME(SSA_ENOTFOUND);
        NAME(SSA_ESERVER);
        NAME(SSA_ECLOSED);
        NAME(SSA_ESYSTEM);
        NAME(SSA_ECONNECT);
        NAME(SSA_ETIMEOUT);
        NAME(SSA_EWAIT);
        NAME(SSA_EPERMISSION);
        NAME(SSA_EFULL);
        NAME(SSA_EMODEL);
        NAME(SSA_EINPUT);
        NAME(SSA_ERUN);
        NAME(SSA_ENOWORKER);
        NAME(SSA_EWORKERLIST);
        NAME(SSA_EFORK);
        NAME(SSA_EINTERNAL);
        NAME(SSA_ECANCELLED);
        NAME(SSA_EUNSUPPORTED);
        NAME(SSA_ETYPE);
        NAME(SSA_ETOPOLOGY);
        NAME(SSA_EDATASET);
    }
#undef NAME
    return "SSA_E?";
}

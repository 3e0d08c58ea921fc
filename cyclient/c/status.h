/* Codes that every function of the core returns: the same that callers of the library see. */
#ifndef SSA_STATUS_H
#define SSA_STATUS_H

#include "../include/ssasync_types.h"

#endif

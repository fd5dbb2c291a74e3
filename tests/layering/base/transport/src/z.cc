#include "packice/transport/z.h"

#include <sys/types.h>

#include "packice/core/x.h"

int Z() { return X(); }

#include "packice/core/x.h"

#include <wonder/drug.h>

int X() { return 1; }

#include "packice/core/x.h"

#include "packice/peers/y.h"

int X() { return 1; }

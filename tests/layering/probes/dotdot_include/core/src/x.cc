#include "packice/core/x.h"

#include "../../peers/src/y.h"

int X() { return 1; }

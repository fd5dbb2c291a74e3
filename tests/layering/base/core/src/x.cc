#include "packice/core/x.h"

int X() { return 1; }

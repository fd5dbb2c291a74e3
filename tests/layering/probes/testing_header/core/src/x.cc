#include "packice/core/x.h"

#include "packice/core/testing/fake.h"

int X() { return 1; }

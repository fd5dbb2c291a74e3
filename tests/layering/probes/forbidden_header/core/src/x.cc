#include "packice/core/x.h"

#include <grpcpp/grpcpp.h>

int X() { return 1; }

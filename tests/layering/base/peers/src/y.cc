#include "packice/peers/y.h"

#include "packice/core/x.h"

int Y() { return X(); }

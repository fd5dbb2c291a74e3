#include "cli/app.h"

int main(int argc, char** argv) { return packice::cli::Main(argc, argv); }

// Entry point of the program `lra`.
#include "harness/cli/cli.h"

int main(int argc, char** argv) { return lra::harness::cli::run(argc, argv); }

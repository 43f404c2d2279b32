// The test runner's main(). Catch2 3 also has one in Catch2WithMain; this works with both.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#include "tests/catch.h"

const char* lra::testing::source_dir() { return LRA_SOURCE_DIR; }

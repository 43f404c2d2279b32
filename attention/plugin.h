#pragma once
// Included once by each plugin, in any of its files: LRA_PLUGIN(); states what it was built
// against.

#include "attention/version.h"

#define LRA_PLUGIN()                                                                        \
  extern "C" __attribute__((visibility("default"))) const char* lra_plugin_built_against(); \
  extern "C" const char* lra_plugin_built_against() { return LRA_ATTENTION_INTERFACE; }     \
  static_assert(true, "ends in a semicolon")

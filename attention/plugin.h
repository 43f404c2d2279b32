#pragma once
// Included once by each plugin, in any of its files: LRA_PLUGIN(); records the interface that it
// was built against, as text that can be read from the file before any of its code runs.

#include "attention/version.h"

#define LRA_PLUGIN_MARK "lra plugin interface: "

#define LRA_PLUGIN()                                                                      \
  extern "C" __attribute__((visibility("default"))) const char lra_plugin_interface[];    \
  extern "C" const char lra_plugin_interface[] = LRA_PLUGIN_MARK LRA_ATTENTION_INTERFACE; \
  static_assert(true, "ends in a semicolon")

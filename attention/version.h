#pragma once
// Version of the plugin interface: changed with attention.h, tasks/task.h and the headers they
// include.

#define LRA_ATTENTION_INTERFACE "lra 0.1 attention interface 7"

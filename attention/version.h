#pragma once
// The interface that plugins are compiled against: changed with attention.h, tasks/task.h and what
// they include.

#define LRA_ATTENTION_INTERFACE "lra 0.1 attention interface 7"

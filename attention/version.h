#pragma once
// The interface that plugins are compiled against: changed with attention.h and what it includes.

#define LRA_ATTENTION_INTERFACE "lra 0.1 attention interface 4"

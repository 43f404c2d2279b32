#pragma once
// The heads of an operation on several threads.

#include <cstdint>
#include <functional>

namespace lra::engine {

// Runs f(h) for the heads 0 to H - 1. Where a head takes a millisecond or so (`work`
// multiply-adds), heads are offered to threads of this arena that have nothing to do, as a batch of
// fewer sequences than cores leaves them. f computes on tensors alone, as tape and gradients belong
// to the calling thread, and heads write to different places: then the bits do not depend on
// threads.
void for_heads(std::int64_t H, std::int64_t work, const std::function<void(std::int64_t)>& f);

}  // namespace lra::engine

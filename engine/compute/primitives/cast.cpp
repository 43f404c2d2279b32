#include "engine/compute/primitives/internal.h"

namespace lra::engine::primitives {

void copy(const View& from, const View& to) {
  bool same = from.rank == to.rank;
  std::int64_t elements = 1;
  for (std::size_t i = 0; same && i < static_cast<std::size_t>(from.rank); ++i) {
    same = from.dims[i] == to.dims[i];
    elements *= from.dims[i];
  }
  if (!same) {
    fail(ErrorKind::shape, "copy: got {} and {}, expected equal shapes", text(from), text(to));
  }
  if (elements == 0) return;
  Key key(Kind::copy);
  key.put(from).put(to);
  Entry& entry = entry_for(key, {&from, &to}, [&](Entry& e) {
    const Desc source = descriptor(from);
    const Desc target = descriptor(to);
    const dnnl::reorder::primitive_desc pd(onednn::cpu(), source, onednn::cpu(), target,
                                           onednn::make_attr());
    e.memories.reserve(3);
    e.argument(DNNL_ARG_FROM, source);
    e.argument(DNNL_ARG_TO, target);
    return finish(e, pd);
  });
  execute(entry, {from.data, to.data}, Kind::copy);
}

Tensor cast(const Tensor& t, DType dtype) {
  if (t.dtype() == dtype) return t;
  Tensor result(t.shape(), dtype);
  const Shape one{t.numel()};
  copy(view(t, one), view(result, one));
  return result;
}

}  // namespace lra::engine::primitives

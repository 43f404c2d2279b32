#include "engine/fused/scan/delta_chunk.h"

#include <algorithm>

#include "engine/compute/kernels/small_products.h"

namespace lra::engine::delta {
namespace {

using kernels::Part;

// c = a b.
void multiply(const Block& a, const Block& b, const Block& c, bool add = false,
              Part part = Part::all) {
  kernels::small_product({a.rows(), b.columns(), a.columns(), a.data(), a.columns(), 1, b.data(),
                          c.data(), add, part});
}
// c = a^T b.
void multiply_transposed(const Block& a, const Block& b, const Block& c, bool add = false,
                         Part part = Part::all) {
  kernels::small_product({a.columns(), b.columns(), a.rows(), a.data(), 1, a.columns(), b.data(),
                          c.data(), add, part});
}
void transpose_to(const Block& x, const Block& t) {
  kernels::small_transpose(x.data(), x.rows(), x.columns(), t.data());
}

}  // namespace

Scratch::Scratch(std::int64_t P, std::int64_t Pv)
    : o(kRows, Pv),
      running(P, kRows),
      ones(1, P),
      S_t(Pv, P),
      dS(P, Pv),
      dS_t(Pv, P),
      u_t(Pv, kRows),
      dA(kRows, kRows),
      dQ(kRows, kRows),
      dA2(kRows, kRows),
      dQ2(kRows, kRows),
      dO(kRows, Pv),
      du(kRows, Pv),
      z(kRows, Pv),
      dv(kRows, Pv),
      dq(kRows, P),
      dread(kRows, P),
      derase(kRows, P),
      dk(kRows, P),
      terms(kRows, P) {
  std::fill_n(ones.data(), P, 1.0F);
}

Chunk::Chunk(const Operands& in, std::int64_t P, std::int64_t Pv)
    : in_(in),
      gate_(in.gate()),
      two_(in.two_keys()),
      D_(in.q.dim(2)),
      q_(kRows, P),
      k_(kRows, P),
      read_(two_ ? Block(kRows, P) : k_),
      erase_(two_ ? Block(kRows, P) : k_),
      decay_(1, 1),
      qE_(q_),
      readE_(read_),
      eraseF_(erase_),
      kF_(k_),
      v_(kRows, Pv),
      rest_(kRows, Pv),
      u_(kRows, Pv),
      beta_(1, kRows),
      ratio_(kRows, kRows),
      A_(kRows, kRows),
      Q_(kRows, kRows),
      S_(P, Pv) {
  std::fill_n(beta_.data(), kRows, 1.0F);
  std::fill_n(ratio_.data(), ratio_.size(), 1.0F);
  if (two_) {
    A2_ = Block(kRows, kRows);
    Q2_ = Block(kRows, kRows);
  }
  if (gate_ == Gate::none) return;
  decay_ = Block(kRows, P);
  E_ = Block(kRows, P);
  F_ = Block(kRows, P);
  qE_ = Block(kRows, P);
  readE_ = Block(kRows, P);
  eraseF_ = Block(kRows, P);
  if (two_) kF_ = Block(kRows, P);
}

void Chunk::load(std::int64_t head, std::int64_t chunk) {
  head_ = head;
  begin_ = chunk * kRows;
  count_ = std::min(kRows, in_.n - begin_);
  read_rows(in_.q, q_);
  read_rows(in_.k, k_);
  read_rows(in_.v, v_);
  if (two_) {
    read_rows(in_.read, read_);
    read_rows(in_.erase, erase_);
  } else {
    for (std::int64_t i = 0; i < kRows; ++i) {
      beta_.data()[i] = i < count_ ? in_.beta.f32()[head * in_.beta.dim(1) + row(i)] : 0.0F;
    }
  }
  if (gate_ == Gate::none) return;
  read_rows(in_.g, decay_);
  // Padding columns contain values of the last chunk.
  for (std::int64_t i = 0; i < kRows; ++i) {
    float* g = decay_.row(i);
    std::fill(g + in_.g.dim(2), g + decay_.columns(), gate_ == Gate::head ? g[0] : 0.0F);
  }
  exponentials_of(decay_.data(), decay_.size());
  decay_products(decay_.data(), E_.data(), F_.data(), E_.columns());
  scale_by(q_.data(), E_.data(), qE_.data(), qE_.size());
  scale_by(read_.data(), E_.data(), readE_.data(), readE_.size());
  scale_by(erase_.data(), F_.data(), eraseF_.data(), eraseF_.size());
  if (two_) scale_by(k_.data(), F_.data(), kF_.data(), kF_.size());
  if (gate_ == Gate::head) set_ratios();
}

void Chunk::solve(const Block& S, const Scratch& w) {
  std::copy_n(S.data(), S.size(), S_.data());
  pairs(erase_, A_, Q_, w);
  multiply(readE_, S, rest_);
  if (two_) {
    pairs(k_, A2_, Q2_, w);
    multiply(A2_, v_, rest_, true, Part::lower);
  }
  if (two_) {
    negate(rest_.data(), rest_.data(), rest_.size());
  } else {
    subtract(v_.data(), rest_.data(), rest_.data(), rest_.size());
  }
  substitute(A_.data(), beta_.data(), rest_.data(), u_.data(), u_.columns());
}

void Chunk::write_outputs(const Tensor& o, const Scratch& w) const {
  multiply(qE_, S_, w.o);
  multiply(Q_, u_, w.o, true, Part::lower);
  if (two_) multiply(Q2_, v_, w.o, true, Part::lower);
  write_rows(w.o, o);
}

void Chunk::advance(const Block& S) const {
  if (gate_ != Gate::none) scale_rows(S.data(), E_.row(kRows - 1), S.rows(), S.columns());
  multiply_transposed(eraseF_, u_, S, true);
  if (two_) multiply_transposed(kF_, v_, S, true);
}

void Chunk::backward(const Tensor& dy, const Gradients& to, std::vector<double>& gates,
                     const Scratch& w) const {
  read_rows(dy, w.dO);
  transpose_to(S_, w.S_t);
  transpose_to(w.dS, w.dS_t);
  multiply(eraseF_, w.dS, w.du);
  multiply_transposed(Q_, w.dO, w.du, true, Part::upper);
  substitute_back(A_.data(), beta_.data(), w.du.data(), w.z.data(), w.z.columns());
  if (two_) {
    multiply(kF_, w.dS, w.dv);
    multiply_transposed(Q2_, w.dO, w.dv, true, Part::upper);
    multiply_transposed(A2_, w.z, w.dv, true, Part::upper);
  } else {
    negate(w.z.data(), w.dv.data(), w.dv.size());
  }
  multiply(w.dO, w.S_t, w.dq);
  multiply(w.z, w.S_t, w.dread);
  multiply(u_, w.dS_t, w.derase);
  if (two_) multiply(v_, w.dS_t, w.dk);
  if (gate_ != Gate::none) {
    scale_rows(w.dS.data(), E_.row(kRows - 1), w.dS.rows(), w.dS.columns());
    scale_by(w.dq.data(), E_.data(), w.dq.data(), w.dq.size());
    scale_by(w.dread.data(), E_.data(), w.dread.data(), w.dread.size());
    scale_by(w.derase.data(), F_.data(), w.derase.data(), w.derase.size());
    if (two_) scale_by(w.dk.data(), F_.data(), w.dk.data(), w.dk.size());
  }
  multiply_transposed(qE_, w.dO, w.dS, true);
  multiply_transposed(readE_, w.z, w.dS, true);
  add_pair_slopes(erase_, u_, w.dA, w.dQ, w.derase, w);
  if (two_) add_pair_slopes(k_, v_, w.dA2, w.dQ2, w.dk, w);
  write_gradients(to, gates, w);
}

void Chunk::read_rows(const Tensor& from, const Block& to) const {
  const HeadRows rows{&from, head_};
  if (from.dtype() == DType::f32) {
    const std::int64_t C = rows.columns();
    copy_rows(from.f32() + rows.offset(row(0)), in_.reverse ? -C : C, to.data(), to.columns(),
              count_, C);
  } else {
    for (std::int64_t i = 0; i < count_; ++i) rows.read(row(i), to.row(i));
  }
  std::fill(to.row(count_), to.data() + to.size(), 0.0F);
}

void Chunk::write_rows(const Block& from, const Tensor& to) const {
  const HeadRows rows{&to, head_};
  if (to.dtype() == DType::f32) {
    const std::int64_t C = rows.columns();
    copy_rows(from.data(), from.columns(), to.f32() + rows.offset(row(0)), in_.reverse ? -C : C,
              count_, C);
  } else {
    for (std::int64_t i = 0; i < count_; ++i) rows.write(row(i), from.row(i));
  }
}

void Chunk::set_ratios() const {
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      ratio_.row(i)[j] = ratio_.row(i - 1)[j] * decay_.row(i)[0];
    }
    ratio_.row(i)[i] = 1;
  }
}

void Chunk::pairs(const Block& key, const Block& A, const Block& Q, const Scratch& w) const {
  transpose_to(key, w.running);
  if (gate_ == Gate::feature) {
    pair_products(decay_.data(), read_.data(), q_.data(), D_, key.columns(), w.running.data(),
                  A.data(), Q.data());
    return;
  }
  multiply(read_, w.running, A);
  multiply(q_, w.running, Q);
  cut_pairs(A.data(), ratio_.data(), false);
  cut_pairs(Q.data(), ratio_.data(), true);
}

void Chunk::add_pair_slopes(const Block& key, const Block& value, const Block& dA, const Block& dQ,
                            const Block& dkey, const Scratch& w) const {
  transpose_to(value, w.u_t);
  multiply(w.z, w.u_t, dA);
  multiply(w.dO, w.u_t, dQ);
  cut_pairs(dA.data(), ratio_.data(), false);
  cut_pairs(dQ.data(), ratio_.data(), true);
  if (gate_ == Gate::feature) {
    pair_slopes({decay_.data(), read_.data(), q_.data(), key.data(), dA.data(), dQ.data(),
                 w.dread.data(), w.dq.data(), dkey.data(), key.columns()});
    return;
  }
  multiply(dQ, key, w.dq, true, Part::lower);
  multiply(dA, key, w.dread, true, Part::lower);
  multiply_transposed(dQ, q_, dkey, true, Part::upper);
  multiply_transposed(dA, read_, dkey, true, Part::upper);
}

void Chunk::write_gradients(const Gradients& to, std::vector<double>& gates,
                            const Scratch& w) const {
  if (to.g.defined()) sum_gates(to.g, gates, w);
  if (to.q.defined()) write_rows(w.dq, to.q);
  if (to.v.defined()) write_rows(w.dv, to.v);
  if (two_) {
    if (to.read.defined()) write_rows(w.dread, to.read);
    if (to.erase.defined()) write_rows(w.derase, to.erase);
    if (to.k.defined()) write_rows(w.dk, to.k);
    return;
  }
  for (std::int64_t i = 0; to.beta.defined() && i < count_; ++i) {
    to.beta.f32()[head_ * to.beta.dim(1) + row(i)] =
        dot_of(w.du.row(i), rest_.row(i), rest_.columns());
  }
  if (!to.k.defined()) return;
  add_up(w.dread.data(), w.derase.data(), w.dk.data(), w.dk.size());
  write_rows(w.dk, to.k);
}

void Chunk::sum_gates(const Tensor& to, std::vector<double>& sums, const Scratch& w) const {
  const std::int64_t P = q_.columns();
  std::fill_n(w.terms.data(), w.terms.size(), 0.0F);
  const auto add = [&](const Block& x, const Block& dx, float sign) {
    add_scaled_products(x.data(), dx.data(), sign, w.terms.data(), w.terms.size());
  };
  add(q_, w.dq, 1);
  add(read_, w.dread, 1);
  add(erase_, w.derase, -1);
  if (two_) add(k_, w.dk, -1);
  for (std::int64_t i = count_ - 1; i >= 0; --i) {
    float* terms = w.terms.row(i);
    if (gate_ == Gate::feature) {
      add_to_sums(terms, sums.data(), terms, P);
    } else {
      sums[0] += static_cast<double>(dot_of(terms, w.ones.data(), P));
      terms[0] = static_cast<float>(sums[0]);
    }
  }
  write_rows(w.terms, to);
}

}  // namespace lra::engine::delta

#pragma once

#include <omp.h>
#include <oneapi/dnnl/dnnl_version.h>

#include <oneapi/dnnl/dnnl.hpp>

namespace tidegate {

// The one place that knows how oneDNN 2.x and 3.x differ. Included by .cc files only.

// The primitive descriptor of Primitive for `arguments`: what 2.x calls the operation descriptor's arguments.
template <typename Primitive, typename... Arguments>
typename Primitive::primitive_desc MakeForward(const dnnl::engine& engine,
                                               const dnnl::primitive_attr& attributes,
                                               Arguments&&... arguments) {
#if DNNL_VERSION_MAJOR >= 3
  return typename Primitive::primitive_desc(engine, arguments..., attributes);
#else
  return typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes, engine);
#endif
}

// The CPU engine, shared by the whole process.
inline const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

// While it lives, oneDNN uses one OpenMP thread in the calling thread. A primitive is
// created and run under it alike: its block sizes are planned for the thread count at creation.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace tidegate

#pragma once

#include "server/store/broken.h"

namespace tidegate {

// Has the store broken in some way as long as it lives.
class Breaking {
 public:
  explicit Breaking(Break what) { broken = what; }
  ~Breaking() { broken = Break::kNothing; }
  Breaking(const Breaking&) = delete;
  Breaking& operator=(const Breaking&) = delete;
};

}  // namespace tidegate

// Runs the tests, but not with TIDEGATE_MAX_ISA where the CPU has nothing better: ctest has run these kernels
// without.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "engine/tensor/tensor_isa.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const char* const at_most = std::getenv("TIDEGATE_MAX_ISA");
  if (at_most != nullptr && &tidegate::KernelsUpTo(at_most) == &tidegate::KernelsUpTo(tidegate::kBestIsa)) {
    std::printf("skipped: this CPU has nothing better than %s\n", at_most);
    return 77;
  }
  return RUN_ALL_TESTS();
}

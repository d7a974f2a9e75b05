#include "clients/cli/interrupt.h"

namespace tidegate {
namespace {

volatile std::sig_atomic_t asked = 0;

}  // namespace

const volatile std::sig_atomic_t& ListenForInterrupt() {
  struct sigaction on_interrupt = {};
  on_interrupt.sa_handler = [](int) { asked = 1; };
  on_interrupt.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &on_interrupt, nullptr);
  return asked;
}

}  // namespace tidegate

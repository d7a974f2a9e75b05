#pragma once

#include <csignal>

namespace tidegate {

// From now on the first Ctrl-C only makes the result other than 0; a second one ends the program.
const volatile std::sig_atomic_t& ListenForInterrupt();

}  // namespace tidegate

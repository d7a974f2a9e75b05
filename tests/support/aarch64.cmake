# Cross build for 64-bit Arm with Debian's g++-aarch64-linux-gnu and the libraries that .ci/aarch64 unpacked into
# TIDEGATE_SYSROOT; tests run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TIDEGATE_SYSROOT)
set(libraries ${TIDEGATE_SYSROOT}/usr/lib/aarch64-linux-gnu)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${TIDEGATE_SYSROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_CXX_FLAGS_INIT
  "-isystem ${TIDEGATE_SYSROOT}/usr/include -isystem ${TIDEGATE_SYSROOT}/usr/include/aarch64-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${libraries} -Wl,-rpath-link,${libraries} -Wl,-rpath-link,${TIDEGATE_SYSROOT}/lib/aarch64-linux-gnu")
set(CMAKE_CROSSCOMPILING_EMULATOR
  # The loader must be of the same build as the C library: with the cross compiler's, threads hang.
  qemu-aarch64-static -L ${TIDEGATE_SYSROOT} -E "LD_LIBRARY_PATH=${libraries}:${TIDEGATE_SYSROOT}/lib/aarch64-linux-gnu")

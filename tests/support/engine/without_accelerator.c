/* Two functions of at::accelerator (ATen/DeviceAccelerator.h), with the answers of a torch that was built for no accelerator.
   The linker takes them in place of libtorch's, as LD_PRELOAD names this library: ld.so(8), tests/support/engine/simulated_gpu.py. */

/* std::optional<c10::DeviceType> getAccelerator(bool checked): std::nullopt, two bytes of which the second says "empty" */
short _ZN2at11accelerator14getAcceleratorEb(_Bool checked) { return 0; }

/* bool isAccelerator(c10::DeviceType device_type): false */
_Bool _ZN2at11accelerator13isAcceleratorEN3c1010DeviceTypeE(signed char device_type) { return 0; }

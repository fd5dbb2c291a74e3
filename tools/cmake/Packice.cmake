# The whole of Packice's build, for the root CMakeLists.txt: include(Packice) and use
# packice_layer, packice_test, packice_binary, packice_benchmark, packice_fuzzer.
include(PackiceLayers)
include(PackiceOptions)
include(PackiceTargets)
include(PackiceCheck)
include(PackiceInstall)

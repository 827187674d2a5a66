# Libraries certq builds on, as imported targets PkgConfig::NAME.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(dep libzmq libczmq libesmtp-1.0 gmime-3.0 libcrypto libssl yaml-0.1 jansson libmariadb
        libmicrohttpd libsystemd)
    string(REGEX REPLACE "[^a-z0-9]" "_" name ${dep})
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${dep})
    set_target_properties(PkgConfig::${name} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES
        "${${name}_INCLUDE_DIRS}")
endforeach()

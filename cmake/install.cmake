# Layout: programs in bin and sbin, samples in share/certq, the annotated configuration in etc.
set(CPACK_PACKAGE_NAME certq)
set(CPACK_PACKAGE_CONTACT "certq maintainers <certq@example.jp>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Certificate-lifecycle jobs on a durable queue")
set(CPACK_GENERATOR "TGZ;DEB")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
install(DIRECTORY config/ DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/certq
    PATTERN systemd EXCLUDE)
install(DIRECTORY config/systemd/ DESTINATION lib/systemd/system)
install(DIRECTORY schema/ DESTINATION ${CMAKE_INSTALL_DATADIR}/certq/schema)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})

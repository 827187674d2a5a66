# certq_embed(TARGET FILE NAME): makes NAME.inc, the bytes of FILE as a C initialiser, for TARGET.
# Run as a script (cmake -P) it writes one such file.
if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${IN} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "((0x..,){16})" "\\1\n" bytes "${bytes}")
    file(WRITE ${OUT} "${bytes}0\n")
    return()
endif()

set(CERTQ_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(certq_embed target file name)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/embed/${name}.inc)
    file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/embed)
    add_custom_command(OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -P ${CERTQ_EMBED_SCRIPT}
        DEPENDS ${file} ${CERTQ_EMBED_SCRIPT} VERBATIM)
    target_sources(${target} PRIVATE ${out})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/embed)
endfunction()

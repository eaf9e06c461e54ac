# cmake -D PROGRAM=… -D ARGUMENT=… -D INPUT=… -D OUTPUT=… -P run.cmake: a program between two files. OUTPUT is made
# only where it went well.
execute_process(COMMAND ${PROGRAM} ${ARGUMENT} INPUT_FILE ${INPUT} OUTPUT_FILE ${OUTPUT}.new RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM}: ${result}")
endif()
file(RENAME ${OUTPUT}.new ${OUTPUT})

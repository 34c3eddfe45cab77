#!/bin/sh
echo 'Content-Type: text/plain'
echo
echo "$REQUEST_METHOD $SCRIPT_NAME $PATH_INFO $QUERY_STRING from $REMOTE_ADDR"
cat

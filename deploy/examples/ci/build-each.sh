#!/bin/sh
# One firmware a device: FOLDER holds a header for each, named by its identifier.
set -eu
umask 077
mkdir -p firmware
for header in "$1"/*.h; do
    name=$(basename "$header" .h)
    work=$(mktemp -d)
    cp "$header" "$work/credential.h"
    ${CC:-cc} -std=c99 -O2 -I "$work" -o "firmware/$name" join.c -lnettle
    rm -rf "$work"
done

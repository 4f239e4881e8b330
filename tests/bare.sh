#!/bin/sh
# sh tests/bare.sh FOLDER: makes FOLDER with Python, git, make and what no Linux is without. As a
# PATH it is that of a machine that has nothing else. Python is $PYTHON, else python3.
set -eu
mkdir "$1"
# No link: an environment that is made with it would need this folder for as long as it is there.
real=$("${PYTHON:-python3}" -c 'import sys; print(sys._base_executable)')
printf '#!/bin/sh\nexec %s "$@"\n' "$real" >"$1/python3"
chmod 755 "$1/python3"
for name in git make sh awk basename cat chmod cp date df dirname env grep head id ln ls mkdir mktemp \
  mv rm rmdir sed sleep sort tail touch tr uname wc; do
  ln -s "$(command -v "$name")" "$1/$name"
done

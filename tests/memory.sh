#!/bin/sh
# Says where tests have their files: in memory, where a sync takes microseconds, if there is room
# and programs may be run from there; else where they would be anyway.
place=/dev/shm
need_kib=2000000

has_room() {
  free=$(df -Pk "$place" 2>/dev/null | awk 'NR == 2 {print $4}')
  [ "${free:-0}" -ge "$need_kib" ]
}
runs_programs() {
  probe=$(mktemp "$place/jrc-probe-XXXXXX" 2>/dev/null) || return
  printf '#!/bin/sh\n' >"$probe"
  chmod 700 "$probe"
  "$probe" 2>/dev/null
  ran=$?
  rm -f "$probe"
  return "$ran"
}
if has_room && runs_programs; then echo "$place"; else echo "${TMPDIR:-/tmp}"; fi

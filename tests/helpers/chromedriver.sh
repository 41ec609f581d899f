#!/bin/sh
# Runs chromedriver with these arguments, and kills it and the browsers that it starts
# when standard input ends, as it does when the process at its other end is killed. This
# has to be the leader of a process group.
trap : TERM # which ends the loop, too
chromedriver "$@" </dev/null &
while read -r _; do :; done
kill -KILL 0

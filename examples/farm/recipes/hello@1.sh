# artifact: hello.txt
set -eu
printf 'Hello from %s\n' "$(uname -n)" >/output/hello.txt

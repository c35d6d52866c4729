# Squares, and their sum: something that takes a moment.
# artifact: squares.txt
# artifact: sum.txt
set -eu
sum=0 number=1
while [ "$number" -le 1000 ]; do
  square=$((number * number))
  echo "$square"
  sum=$((sum + square))
  number=$((number + 1))
done >/output/squares.txt
echo "$sum" >/output/sum.txt

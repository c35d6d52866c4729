module synchronicity.example/farm

go 1.19

require synchronicity.example/synchronicity v0.0.0

replace synchronicity.example/synchronicity => ../../bindings/go

module synchronicity.example/synchronicity

go 1.19

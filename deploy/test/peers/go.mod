module github.com/neuronward/neuronward/deploy/test/peers

go 1.26.0

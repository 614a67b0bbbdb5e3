module github.com/neuronward/neuronward/deploy/test

go 1.26.0

replace github.com/neuronward/neuronward => ../..

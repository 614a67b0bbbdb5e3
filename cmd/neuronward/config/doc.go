// Package config turns the environment into a Config: it reads values, secrets and the files that they name, and
// reports every mistake at once. It also follows those files, and its Redactor keeps secrets out of what is written.
//
// It knows no command, no listener and nothing of a call. Begin with config.go, which is the table of variables, and
// load.go. A new setting is a field there, a line in texts.go and, if it has bounds, one in validate.go; serve.go of
// cmd/neuronward hands it on.
package config

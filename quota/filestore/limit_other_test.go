//go:build !linux

package filestore_test

func limits() map[string]failure { return nil }

// Package imagetest builds the image from the real Dockerfile and runs it as a
// careful operator would: read-only, without privileges, as nobody.
//
// Base images cannot be had where these tests run, so the build stage stands on
// a stand-in with this machine's Go toolchain. What the tests cannot show is
// that the official image has a shell, mkdir and CA certificates where the
// Dockerfile looks for them.
package imagetest

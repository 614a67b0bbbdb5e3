package schema

// CompilePattern is the engine for patterns: the tests' validator shares it, since Go has no conditions in patterns.
var CompilePattern = compilePattern

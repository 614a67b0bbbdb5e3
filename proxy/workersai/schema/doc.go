// Package schema makes JSON values that satisfy a JSON Schema: what the simulated
// Workers AI answers where a caller asks for structured output, and the arguments of
// the tools that it calls. Begin reading with Compile and Schema.Value.
//
// Each value is checked by a validator before it is returned. The same schema and
// seed have the same value. A schema never leads to a call: a $ref to another
// document is an error.
package schema

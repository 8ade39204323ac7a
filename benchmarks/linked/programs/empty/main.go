// The program empty links nothing: what any Go program takes.
package main

func main() {}

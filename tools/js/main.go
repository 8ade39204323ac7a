// Js runs a JavaScript file, so that the tests need no Node. The file runs with Node as well.
//
//	go -C tools/js run . SCRIPT ARG…
//
// A script has the language itself and these few names of Node: require("fs").readFileSync(FILE, "utf8"), console.log
// with one text, process.argv and process.exitCode.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/dop251/goja"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "js: name the script to run: js SCRIPT ARG…")
		os.Exit(2)
	}
	code, err := run(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "js:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// run returns the exit code that the script has set.
func run(script string) (int, error) {
	source, err := os.ReadFile(script)
	if err != nil {
		return 0, err
	}
	vm := goja.New()
	process := vm.NewObject()
	err = errors.Join(
		process.Set("argv", os.Args), // as in Node, the script is the second
		process.Set("exitCode", 0),
		vm.Set("process", process),
		vm.Set("console", map[string]any{"log": func(text string) { fmt.Println(text) }}),
		vm.Set("require", require),
	)
	if err != nil {
		return 0, err
	}
	if _, err := vm.RunScript(script, string(source)); err != nil {
		return 0, err
	}
	return int(process.Get("exitCode").ToInteger()), nil
}

func require(module string) (any, error) {
	if module != "fs" {
		return nil, fmt.Errorf("there is no module %q here, only fs", module)
	}
	return map[string]any{"readFileSync": readFile}, nil
}

func readFile(name, encoding string) (string, error) {
	if encoding != "utf8" {
		return "", fmt.Errorf(`a file is read as "utf8", and not as %q`, encoding)
	}
	text, err := os.ReadFile(name)
	return string(text), err
}

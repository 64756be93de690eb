// `import()` as Node does it. In a file that Vite's module runner loads, Vite would rewrite it; Node loads this one.
module.exports = (url) => import(url);

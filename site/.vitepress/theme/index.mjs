/** The theme with the fonts of whoever reads. */
export { default } from 'vitepress/theme-without-fonts'
